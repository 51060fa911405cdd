#!/bin/sh
# Shows lymph at work, through nothing but the `lymph` command, which is expected on PATH.
# Ends with 0 if everything was as it should be, else with 1 and the end of the node's log.
set -eu
cd "$(dirname "$0")"

command -v lymph >/dev/null || {
    echo 'demo failed: no lymph on PATH; run it with `make demo`' >&2
    exit 1
}

folder=$(mktemp -d)
log=$folder/node.log
node=
# Nothing that runs elsewhere is seen here, and nothing stays.
export LYMPH_STATE_DIR="$folder/state" LYMPH_NODE_CONFIG=.lymph.yml
unset LYMPH_CONFIG LYMPH_VARS

clean_up() {
    trap '' INT TERM
    if [ -n "$node" ]; then
        kill -TERM "$node" 2>/dev/null || true
        wait "$node" || true
    fi
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

heading() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf '\ndemo failed: %s\n' "$*" >&2
    printf 'the node said last:\n' >&2
    tail -n 25 "$log" >&2
    exit 1
}

# echo_command COMMAND...: print a command as one would type it.
echo_command() {
    printf '$'
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./:=@%+-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
}

# expect TEXT COMMAND...: print a command, run it, print what it prints, which must contain TEXT.
expect() {
    text=$1
    shift
    echo_command "$@"
    printed=$("$@") || fail "\`$*\` ended with exit code $?"
    printf '%s\n' "$printed"
    case $printed in
    *"$text"*) ;;
    *) fail "\`$*\` was to print \"$text\"" ;;
    esac
}

# In a pipe, sh sees only the exit code of the last command, and a reader that ends early (head, grep -q) breaks the
# pipe of a slow writer. So what a command prints is read as a whole first, and filtered then.

# discovered SERVICE FACT: print a fact of each instance of a service, one per line; fail if lymph fails.
discovered() {
    found=$(lymph discover --json --no-health) || return 1
    printf '%s\n' "$found" | python3 -c '
import json, sys
service, fact = sys.argv[1:]
for instance in json.load(sys.stdin).get(service, ()):
    print(instance.get(fact, "-"))
' "$@"
}

# fetch URL: print a page, as curl would, which may be missing.
fetch() {
    python3 -c '
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(), end="")
' "$1"
}

# wait_for SECONDS WHAT TEST...: wait until a test succeeds.
wait_for() {
    end=$(($(date +%s) + $1))
    what=$2
    shift 2
    until "$@"; do
        kill -0 "$node" 2>/dev/null || fail 'the node has ended'
        [ "$(date +%s)" -lt "$end" ] || fail "waited in vain for $what"
        sleep 0.2
    done
}

# has SERVICE NUMBER: succeed if that many instances of a service are registered.
has() {
    pids=$(discovered "$1" pid) || return 1
    [ "$(printf '%s' "$pids" | grep -c '')" -eq "$2" ]
}

# last_lines PATTERN: print the last two lines of the node's log that match.
last_lines() {
    lines=$(grep "$1" "$log") || fail "the node's log has no line with \"$1\""
    printf '%s\n' "$lines" | tail -n 2
}

everything_runs() {
    has echo 2 && has demo 1 && has web 1
}

replaced() {
    has echo 2 && ! printf '%s\n' "$pids" | grep -x "$victim" >/dev/null
}

heading 'A node starts two instances of echo, a demo client and a web gateway'
echo_command cat .lymph.yml
grep -v '^#' .lymph.yml
echo_command lymph node
lymph node >"$log" 2>&1 &
node=$!
wait_for 60 'all services to be registered' everything_runs
cat "$log"

heading 'They have found each other through the embedded registry'
expect 'SERVICE  IDENTITY ' lymph discover --instances

heading 'What echo offers'
expect 'echo.upper(text=None)' lymph inspect echo

heading 'A call from the command line'
expect "'HELLO'" lymph request echo.upper '{"text": "hello"}'

heading 'The demo client calls echo all the time, and echo tells of it with events'
expect "uppercase_transform_finished: {'text': 'foo_" \
    lymph subscribe uppercase_transform_finished --count 3 --timeout 20

heading 'A page of the web gateway, which calls echo'
port=$(discovered web http_port) || fail 'the web gateway cannot be found'
expect 'HELLO' fetch "http://127.0.0.1:$port/upper/hello/"

heading 'An instance of echo is killed; the node starts another'
pids=$(discovered echo pid) || fail 'the instances of echo cannot be found'
victim=${pids%%[!0-9]*}
echo_command kill -9 "$victim"
kill -9 "$victim"
wait_for 60 'another instance of echo' replaced
last_lines 'node .*echo'
expect 'echo     2          2 ' lymph discover echo
expect "'STILL HERE'" lymph request echo.upper '{"text": "still here"}'

heading 'The node stops, and everything with it'
echo_command kill "$node"
kill -TERM "$node"
ended=0
wait "$node" || ended=$?
node=
[ "$ended" -eq 0 ] || fail "the node ended with exit code $ended"
for service in echo demo web; do
    has "$service" 0 || fail "not known to have stopped: $service"
done
last_lines '^node '
echo 'all went as it should'
