# The worker that trains and generates: Node for the worker, Python for the trainer. torch brings its own CUDA libraries, so
# the host needs the NVIDIA driver and container toolkit alone.
# Build from the root of the checkout: docker build -f infra/images/gpu.Dockerfile -t ratchet-gpu .
FROM node:24-bookworm-slim
# Debian 12's Python is 3.11. gcc, because Triton compiles its launchers on the host.
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3.11 python3.11-venv python3.11-dev gcc libc6-dev ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/ratchet
# Extras of trainer/pyproject.toml: vllm, tensorboard, mlflow, wandb.
ARG TRAINER_EXTRAS="vllm tensorboard"
ARG UV_VERSION=0.13.8
COPY trainer/pyproject.toml trainer/uv.lock trainer/README.md trainer/
COPY trainer/src trainer/src
RUN python3.11 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir "uv==${UV_VERSION}" \
    && extras="" && for extra in ${TRAINER_EXTRAS}; do extras="${extras} --extra ${extra}"; done \
    && cd trainer && UV_PYTHON=python3.11 /opt/uv/bin/uv sync --frozen --no-dev --no-cache ${extras}
ENV NODE_ENV=production
COPY package.json package-lock.json ./
# The image has its Node: the one that npm brings for a checkout goes again.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force && rm -rf node_modules/node-linux-*
COPY . .
RUN mkdir -p /var/lib/ratchet /var/cache/huggingface && chown node:node /var/lib/ratchet /var/cache/huggingface
ENV RATCHET_HOME=/var/lib/ratchet \
    RATCHET_PYTHON=/opt/ratchet/trainer/.venv/bin/python \
    RATCHET_READY_FILE=/tmp/ratchet.ready \
    RATCHET_METRICS_ADDRESS=0.0.0.0:9464 \
    HF_HOME=/var/cache/huggingface \
    RATCHET_REQUIRE_CUDA=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER node
EXPOSE 9464
# SIGTERM has the trainer finish its checkpoint: give it time (docker stop --time 120, terminationGracePeriodSeconds).
STOPSIGNAL SIGTERM
ENTRYPOINT ["node"]
CMD ["workers/gpu.ts"]
