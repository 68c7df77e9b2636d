#!/bin/sh
# Starts a program under Wine. The tests lay it beside the program, under the program's name, with a link to Wine's own folder:
# a link itself, since a script that was just written cannot be started while another test forks.
folder=$(dirname "$0")
WINEPREFIX=$(readlink -f "$folder/wine")
WINEDEBUG=-all
LC_ALL=C.UTF-8
# Neither asks for its own browser and runtime, which it does not need.
WINEDLLOVERRIDES=mscoree,mshtml=
export WINEPREFIX WINEDEBUG LC_ALL WINEDLLOVERRIDES
# Of this machine's own bits.
locks=$WINEPREFIX/locks_of_the_killed.so
test -f "$locks" && export LD_PRELOAD="$locks"
exec wine "${0%.sh}.exe" "$@"
