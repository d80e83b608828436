#!/bin/sh
# Starts the Chromium in $CHROMIUM without two pages that it would load into every new window for its address bar, which
# nobody sees here: each costs more than a page of ours. Only the last list of features counts, so Playwright's grows.
for argument; do
  shift
  case $argument in
    --disable-features=*) argument="$argument,WebUIOmniboxPopup,WebUIOmniboxAimPopup" ;;
  esac
  set -- "$@" "$argument"
done
exec "$CHROMIUM" "$@"
