#!/bin/sh
# Makes or upgrades the two databases of the Temporal server. Safe to run again.
set -eu
tool() {
  temporal-sql-tool --plugin postgres12 --endpoint "$POSTGRES_SEEDS" --port 5432 --user "$POSTGRES_USER" --db "$@"
}
for database in temporal visibility; do
  name=temporal
  if [ "$database" = visibility ]; then name=temporal_visibility; fi
  # Refused where the database is there already; the upgrade below fails if there is none.
  tool "$name" create || true
  # Likewise.
  tool "$name" setup-schema -v 0.0 || true
  tool "$name" update-schema -d "/etc/temporal/schema/postgresql/v12/$database/versioned"
done
