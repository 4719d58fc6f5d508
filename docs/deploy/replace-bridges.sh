#!/bin/sh
# In the folder of the bot, beside compose.yaml: sh replace-bridges.sh
# One bridge after the other gets the new code, configuration or image; the others serve meanwhile.
set -e
docker compose run --rm --no-deps bridge check
docker compose run --rm --no-deps bridge dialogs check
for bridge in $(docker compose ps --all --quiet bridge); do
    docker stop "$bridge"
    docker rm "$bridge"
    docker compose up --detach --no-deps --no-recreate --wait bridge
done
