#!/bin/sh
# Namespace and search attributes that ratchet's workflows use. Safe to run again.
set -eu
namespace="${TEMPORAL_NAMESPACE:-default}"
until temporal operator cluster health; do sleep 1; done
until temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1; do
  temporal operator namespace create --namespace "$namespace" --retention 30d || sleep 1
done
for name in RatchetPhase RatchetGate RatchetRecipe; do
  until temporal operator search-attribute list --namespace "$namespace" | grep -q "$name"; do
    temporal operator search-attribute create --namespace "$namespace" --name "$name" --type Keyword || sleep 1
  done
done
