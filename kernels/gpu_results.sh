#!/usr/bin/env bash
# Everything that kernels/RESULTS.md is to say of a GPU, in one go:
#
#     kernels/gpu_results.sh [PYTHON [FILE]]
#
# PYTHON (python3 unless told) has the packages of tests/oracle/requirements.txt, with a PyTorch for CUDA; nvcc of CUDA 13 is on the
# PATH, and a driver 580 or newer is installed. FILE (gpu_results.md) gets the tables; what goes wrong in one part is said there and
# leaves the others. It takes about an hour on an H100, most of it torch.compile.
set -uo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
python="${1:-python3}"
file="$(realpath "${2:-gpu_results.md}")"
target="${CARGO_TARGET_DIR:-$root/target}"
cd "$root" || exit 1

for tool in nvidia-smi nvcc cargo "$python"; do
  command -v "$tool" >/dev/null || { echo "$tool is not there; the head of this script says what is needed" >&2; exit 5; }
done

# What a command prints goes to the file, what it says beside to the terminal and, where it fails, to the file.
part() {
  local title="$1" log
  shift
  log="$(mktemp)"
  printf '\n== %s\n' "$title" >&2
  printf '\n### %s\n\n```\n' "$title" >>"$file"
  if "$@" 2> >(tee "$log" >&2) >>"$file"; then
    printf '```\n' >>"$file"
  else
    { tail -n 20 "$log"; printf '```\n\n**This part failed.**\n'; } >>"$file"
  fi
  rm -f "$log"
}

# Only the lines that tell how tests went.
parity() {
  PRISMBENCH_TEST_CUDA=1 cargo test --release -p prismbench-kernels --features cuda --lib cuda -- --nocapture | grep -E '^test |left out|panicked'
  return "${PIPESTATUS[0]}"
}

# The same of pictures that stay on the device, beside candle's tensors.
pictures() {
  PRISMBENCH_TEST_CUDA=1 cargo test --release -p prismbench-kernels --features candle-cuda --lib device_pictures -- --nocapture | grep -E '^test |left out|panicked'
  return "${PIPESTATUS[0]}"
}

{
  printf '## %s, %s\n\n' "$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1)" "$(date -u +%F)"
  printf 'commit %s, driver %s, %s, ' "$(git rev-parse --short HEAD)" \
    "$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)" "$(nvcc --version | grep -o 'release [0-9.]*')"
  printf '%s\n' "$("$python" -c 'import torch; print("PyTorch", torch.__version__)' 2>/dev/null || echo 'no PyTorch')"
} >"$file"

part "Every kernel against its twin" parity
part "Pictures on the device against the host" pictures
part "Kernels: time, share of the copy bandwidth, the CPU's time" \
  env PRISMBENCH_RECORD_SECONDS=1 cargo bench --quiet -p prismbench-kernels --features cuda --bench twins
part "The program with candle's CUDA backend" cargo build --release -p prismbench --features cuda
part "What the program sees" "$target/release/prismbench" doctor
part "Encode and decode, images per second" \
  "$python" tests/oracle/gpu_speed.py "$target/release/prismbench"
part "A whole reconstruction run" \
  "$python" tests/oracle/gpu_reconstruction.py "$target/release/prismbench"
echo "written: $file"
