#!/bin/sh
# In the folder of the bot, beside compose.yaml: sh replace-bridges.sh
# One bridge after the other gets the new code, configuration or image; the others serve meanwhile.
set -e
docker compose run --rm --no-deps bridge check
docker compose run --rm --no-deps bridge dialogs check
unhealthy_first=$(docker compose ps --all --format '{{.Health}} {{.ID}}' bridge | sort -r | cut -d ' ' -f 2)
for bridge in $unhealthy_first; do
    docker stop "$bridge"
    docker rm "$bridge"
    docker compose up --detach --no-deps --no-recreate --wait bridge
done
