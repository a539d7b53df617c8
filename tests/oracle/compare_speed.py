"""Runs metrics/benches/fidelity.rs and fidelity_speed.py in turn on this machine and prints images per second and ratios.

    compare_speed.py [ROUNDS [SECONDS]]         3 rounds of 6 seconds a side unless told

Both sides have two threads and the same 64 pairs of pictures; both report the median pass. The ratio of CPU time per image
and that of the fastest rounds are printed beside that of wall time, because a busy machine slows the two sides unequally.
torch's threads wait for each other inside each operation, by default in a spin that made batches of one 30 times slower when
other programs held the cores: OMP_WAIT_POLICY=PASSIVE spares it that and costs nothing on an idle machine. Fails when a value of one side is further than 1e-6 from the other's.
"""

import statistics
import sys

from in_turn import RECORD, bench, build, printed


def record(command, **variables):
    """Rate, CPU seconds per image, and values that a side prints."""
    found = {"value": []}
    for line in printed(command, **variables):
        name, *numbers = line.split()
        if name == "value":
            found["value"].append([float(number) for number in numbers])
        elif name in ("rate", "cpu"):
            found[name] = float(numbers[0])
    return found


def compare(ours, theirs):
    """Largest differences of PSNR, relative, and of SSIM."""
    if len(ours["value"]) != len(theirs["value"]) or not ours["value"]:
        sys.exit(f"{len(ours['value'])} and {len(theirs['value'])} pictures were compared")
    pairs = list(zip(ours["value"], theirs["value"]))
    # torchmetrics takes ln 10 in f32 whatever its input: 5e-8 of a PSNR.
    psnr = max(abs(a[0] - b[0]) / b[0] for a, b in pairs)
    ssim = max(abs(a[1] - b[1]) for a, b in pairs)
    if not max(psnr, ssim) <= 1e-6:
        sys.exit(f"values differ: PSNR by {psnr:.2g} of itself, SSIM by {ssim:.2g}")
    return f"values of {len(pairs)} pictures agree: PSNR within {psnr:.1g} of itself, SSIM within {ssim:.1g}"


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = sys.argv[2] if len(sys.argv) > 2 else "6"
    build("fidelity")
    ratios, fastest = [], [0.0, 0.0]
    for number in range(1, rounds + 1):
        ours = record(bench("fidelity"), **{RECORD: seconds})
        theirs = record([sys.executable, "fidelity_speed.py", seconds], OMP_WAIT_POLICY="PASSIVE")
        if number == 1:
            print(compare(ours, theirs))
        ratios.append((ours["rate"] / theirs["rate"], theirs["cpu"] / ours["cpu"]))
        fastest = [max(fastest[0], ours["rate"]), max(fastest[1], theirs["rate"])]
        print(f"round {number}: prismbench {ours['rate']:.0f} images/s, torchmetrics {theirs['rate']:.1f} images/s, "
              f"ratio {ratios[-1][0]:.1f}; CPU per image {1e3 * ours['cpu']:.2f} ms, {1e3 * theirs['cpu']:.2f} ms, "
              f"ratio {ratios[-1][1]:.1f}", flush=True)
    wall, cpu = (statistics.median(column) for column in zip(*ratios))
    print(f"median ratio of {rounds} rounds: {wall:.1f} by wall time, {cpu:.1f} by CPU time; "
          f"fastest round of each side: {fastest[0]:.0f} / {fastest[1]:.1f} = {fastest[0] / fastest[1]:.1f}")


if __name__ == "__main__":
    main()
