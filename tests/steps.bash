# Steps with a name and a time, and what they need from the machine. Sourced by tests/run and .ci/run.

names=() times=() ends=() failed_steps=0

# step NAME COMMAND...: runs it, whatever became of the steps before.
step() {
  local name=$1 started=$SECONDS end=ok code
  shift
  printf '\n== %s\n' "$name"
  # Not `"$@" || …`: behind that, bash goes on after a command that failed inside of a function.
  set +e
  (set -e; "$@")
  code=$?
  set -e
  ((code == 0)) || { end=FAILED failed_steps=$((failed_steps + 1)); }
  names+=("$name") times+=($((SECONDS - started))) ends+=("$end")
}

# timings: one line a step.
timings() {
  local i
  printf '\n'
  for i in "${!names[@]}"; do
    printf '%-28s %4d s  %s\n' "${names[i]}" "${times[i]}" "${ends[i]}"
  done
}

# need COMMAND PACKAGE...: installs the distribution's packages if the command is missing.
need() {
  local command=$1 as_root=()
  shift
  command -v "$command" >/dev/null && return
  if ! command -v apt-get >/dev/null; then
    echo "\`$command\` is missing; install it (on Debian it is in: $*)" >&2
    return 3
  fi
  ((EUID == 0)) || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# need_rust: cargo that is new enough. Distributions are years behind, so that it is not installed from there.
need_rust() {
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  if ! have=$(cargo --version 2>/dev/null | cut -d' ' -f2); then
    echo "cargo is missing; install Rust $wanted or newer (with rustup)" >&2
    return 3
  fi
  if [[ $(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1) != "$wanted" ]]; then
    echo "cargo is $have; install Rust $wanted or newer (\`rustup update\`)" >&2
    return 3
  fi
}
