# Sourced by the runners of the hosts' tests, for what they share: the executable under test, and Python's virtual environments.

# Where Python may not keep what it has compiled, each of the hundreds of programs compiles its libraries again, for seconds.
unset PYTHONDONTWRITEBYTECODE

python=${PYTHON:-$(command -v python3.11 || command -v python3)}

# find_executable DEFAULT: makes KOMETSALES an absolute path that is there; DEFAULT where it is not set.
find_executable() {
    export KOMETSALES=${KOMETSALES:-$1}
    if [[ ! -x $KOMETSALES ]]; then
        echo "There is no executable at $KOMETSALES: build it first, or set KOMETSALES." >&2
        exit 2
    fi
    KOMETSALES=$(cd "$(dirname "$KOMETSALES")" && pwd)/$(basename "$KOMETSALES")
}

# make_environments FOLDER NAME.txt...: makes FOLDER/NAME with the packages that each file pins, unless the last run made the same.
make_environments() {
    local folder=$1 pinned wanted uv
    shift
    wanted=$({ cat "$@"; "$python" --version; echo "$folder"; } | sha256sum | cut -d' ' -f1)
    [[ $(cat "$folder/stamp" 2>/dev/null || true) != "$wanted" ]] || return 0
    rm -rf "$folder"
    "$python" -m venv "$folder/uv"
    uv=$(cat "$@" | grep --max-count=1 '^uv==')
    "$folder/uv/bin/pip" install --quiet --disable-pip-version-check "$uv"
    for pinned in "$@"; do
        local environment=$folder/$(basename "$pinned" .txt)
        "$python" -m venv "$environment"
        # uv installs in seconds what pip installs in a minute; pip knows every way a machine may reach its index.
        "$folder/uv/bin/uv" pip install --quiet --python "$environment/bin/python" --requirement "$pinned" ||
            "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "$pinned"
    done
    echo "$wanted" > "$folder/stamp"
}
