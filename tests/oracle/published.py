"""Published numbers, cleaned: python published.py RAW.csv reports/published.csv tests/golden/published

RAW.csv has a number a row with tokenizer, variant, suite, dataset, split, resolution, metric, value,
setting, source and confidence as people wrote them. What changes here:

- ids: tokenizers and variants in lower case with hyphens; this project's where it has the model
- metrics: this project's ids and units (accuracies and shares of a codebook in [0, 1]); guidance and
  probing recipes are a `setting`, references other than validation pictures a `dialect`
- `paper` and `paper_version` of their own; what was written about the setting is the `note`
- `contradicted`: another source prints another value under the same ids, beyond rounding

No value is changed otherwise, none is averaged and none is left out. The third argument is a folder for
the tables of three papers, pivoted here from RAW.csv without the cleaned file: what the test of
`prismbench table --published` compares with, cell by cell.
"""
import csv
import json
import re
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

COLUMNS = ("tokenizer variant suite dataset split resolution n metric dialect setting value source paper "
           "paper_version confidence contradicted note").split()

# (tokenizer, expression over the whole variant) -> (id, variant); the first that fits.
NAMES = [
    ("RAE", r"DINOv2-B, ViT-XL dec, tau=0\.8 \(the released decoder\)|DINOv2-B, tau=0\.8, released checkpoint|"
            r"DINOv2-B \(as printed by UAE\)", ("rae-dinov2-b", "")),
    ("RAE", r"DINOv2-B, ViT-XL dec, tau=0\.8 \(GPU re-train\)", ("rae-dinov2-b", "retrained")),
    ("RAE", r"DINOv2-B enc, (?:decoder )?(ViT-X?[BL])(?: dec)?, no decoder noise", ("rae-dinov2-b", r"\1-decoder-no-noise")),
    ("RAE", r"DINOv2-([SL]) enc, ViT-XL dec, no decoder noise", (r"rae-dinov2-\1", "vit-xl-decoder-no-noise")),
    ("RAE", r"MAE-B/16 enc", ("rae-mae-b", "vit-xl-decoder-no-noise")),
    ("RAE", r"(DINOv2|SigLIP2|MAE)-B \(frozen encoder, inherited\)", (r"rae-\1-b", "")),
    ("RAE", r"DINOv2-B \+ (.*)|(DiT-XL) DINOv2-B 80ep", ("rae-dinov2-b", r"\1\2")),
    ("RAE", r"(DiT-XL) \(DINOv2-S\) (800ep) 676M", ("rae-dinov2-s", r"\1-\2")),
    ("RAE", r"(DiTDH-XL) \(DINOv2-B\) (\d+ep)(?: 839M)?", ("rae-dinov2-b", r"\1-\2")),
    ("RAE", r"(DiTDH-XL) \(DINOv2-B\)", ("rae-dinov2-b", r"\1-800ep")),
    ("RAE", r"(DiTDH-XL) (?:AG|no guidance), released ckpt|(DiTDH-XL), JAX port", ("rae-dinov2-b", r"\1\2-800ep")),
    ("RAE", r"(DiTDH-XL) 80ep \(GPU repro\)", ("rae-dinov2-b", r"\1-80ep")),
    ("RAE", r"(512 .*)", ("rae-dinov2-b", r"\1")),
    ("RAE (CLIP)", r".*", ("rae-clip", "")),
    ("CLIP", r"as RAE encoder, by OpenVision 3|generator RAE", ("clip", "rae-generator")),
    ("CLIP", r"(?:CLIP )?([BL])/(\d+)(?: @224)?", (r"clip-\1\2", "")),
    ("UAE", r"DINOv2-B \(paper v1\)", ("uae-dinov2-b", "")),
    ("UAE", r"DINOv2-B / ViT-B backbone", ("uae-dinov2-b", "")),
    ("UAE", r"(DINOv2-L) \(paper v1\)", ("uae-dinov2-l", "")),
    ("UAE", r"\(paper v1\)|v5 table", ("uae", "")),
    ("UAE", r"SigLIP2", ("uae-siglip2-b", "")),
    ("UAE", r"(DINOv2-B|CLIP-L)", (r"uae-\1", "")),
    ("UAE", r"K_base=(\d+)% \(DINOv2\)", ("uae-dinov2-b", r"k-base-\1-percent")),
    ("UAE (JiT)", r"(.*)", ("uae-jit", r"\1")),
    ("OpenVision 3", r"paper v1 \(VAE\+ViT-B/2\)|VAE\+B/2 \(paper v2\)|B/2 @224 \(paper v1\)|OpenVision 3 VAE\+B/2",
     ("openvision3-b", "")),
    ("OpenVision 3", r"OpenVision 3 VAE\+L/2", ("openvision3-l", "")),
    ("OpenVision 3", r"paper v1|generator RAE", ("openvision3-b", "rae-generator")),
    ("OpenVision 3", r"ablation w/o VAE", ("openvision3-b", "ablation-without-vae")),
    ("OpenVision 3", r"ablation with VAE.*", ("openvision3-b", "ablation-with-vae")),
    ("OpenVision 3-B", r"encoder-size ablation", ("openvision3-b", "")),
    ("OpenVision 3-L", r"encoder-size ablation", ("openvision3-l", "")),
    ("OpenVision 3-B", r".*RAE 100 ep", ("openvision3-b", "rae-generator-100ep")),
    ("OpenVision 3-L", r".*RAE 100 ep", ("openvision3-l", "rae-generator-100ep")),
    ("OpenVision (v1)", r"(.*)", ("openvision", r"\1")),
    ("SD-VAE", r"SD-VAE|as .*", ("sd-vae", "")),
    ("SD-VAE", r"original kl-f8 \(246803 steps\)", ("sd-vae", "original")),
    ("SD-VAE", r"ft-EMA \(560001\)", ("sd-vae-ema", "")),
    ("SD-VAE", r"ft-MSE \(840001\)", ("sd-vae-mse", "")),
    ("SD-VAE", r"(?:generator )?(DiT|SiT)(?:-XL)?(?:/2)?(?: 1400ep)?(?: sampled on TPU)?(?: \(.*\))?", ("sd-vae", r"\1-xl")),
    ("SD-VAE", r"REPA(?: SiT-XL(?:/2)?)? (80ep|800ep|4M it)(?: \(.*\))?", ("sd-vae", r"repa-sit-xl-\1")),
    ("DiT (SD-VAE)", r".*", ("sd-vae", "dit-xl")),
    ("SiT (SD-VAE)", r".*", ("sd-vae", "sit-xl")),
    ("REPA (SD-VAE)", r".*", ("sd-vae", "repa-sit-xl")),
    ("DDT (SD-VAE)", r".*", ("sd-vae", "ddt")),
    ("SD-VAE (ukn)", r"(.*)", ("sd-vae", r"\1")),
    ("LDM KL f8 (= SD-VAE original)", r".*", ("sd-vae", "original")),
    ("RAE vs REPA(SD-VAE)", r".*", ("rae", "against-repa")),
    ("VA-VAE", r"f16d32(?: DINOv2, 125ep)?|released ckpt|as printed by DINO-Tok", ("va-vae", "")),
    ("VA-VAE", r"(LightningDiT)(?:-XL)? (\d+ep)(?: released ckpt)?(?: \(.*\))?", ("va-vae", r"\1-xl-\2")),
    ("VA-VAE", r"(.*)", ("va-vae", r"\1")),
    ("E2E-VAE (REPA-E)", r"(80ep|800ep).*", ("e2e-vae", r"repa-e-\1")),
    ("UniTok", r"from scratch.*|as (?:measured|printed) by .*", ("unitok", "")),
    ("UniTok", r"LlamaGen-XXL.*|generator LlamaGen", ("unitok", "llamagen-xxl")),
    ("VILA-U", r"as (?:measured|printed) by .*", ("vila-u", "")),
    ("MAE", r"as printed by VTP", ("mae-l", "")),
    ("MAE", r"ViT-([BLH])", (r"mae-\1", "")),
    ("DINOv2", r"ViT-([SBLg])/14 reg", (r"dinov2-reg-\1", "")),
    ("DINOv2", r"ViT-([SBLg])/14", (r"dinov2-\1", "")),
    ("TiTok", r"(.*?)(?: released ckpt)?", ("titok", r"\1")),
    ("DC-AE", r"(.*)", ("dc-ae", r"\1")),
    ("ADM", r".*", ("adm", "")),
    ("VAR", r"as printed by DINO-Tok", ("var-tokenizer", "")),
    ("Open-MAGVIT2 32x32 (*)", r"(.*)", ("open-magvit2", r"32x32-\1")),
    ("Open-MAGVIT2 16x16", r"(.*)", ("open-magvit2", r"16x16-\1")),
    ("Taming-VQGAN 10bit (re-eval by MaskBit)", r".*", ("vqgan", "10bit")),
    ("MaskGIT-VQ 10bit (re-eval by MaskBit)", r".*", ("maskgit-vq", "10bit")),
    ("MAR-KL16 (LDM dagger)", r".*", ("mar-kl16", "")),
    ("MAR-KL16", r"paper|released ckpt|-", ("mar-kl16", "")),
    ("LlamaGen VQGAN (dagger)", r".*", ("llamagen-vq", "")),
]
PRINTED = re.compile(r"\(?\b(?:as (?:printed|measured) by|measured by|re-eval by) [^,)]*\)?|\(paper v\d\)|v\d table")
METRICS = {"psnr_db": "psnr", "inception_score": "is", "recon_is": "is", "top1_acc": "top1", "linear_top1": "top1",
           "codebook_usage": "codebook-usage", "codebook_usage_pct": "codebook-usage", "ssim_dr2": "ssim",
           "latency_ms": "latency", "decoder_gflops": "gflops", "convergence_speedup_x": "convergence-speedup",
           "clip_score": "clip-score", "clip_iqa": "clip-iqa"}
PERCENT = {"top1_acc", "linear_top1", "codebook_usage_pct"}
SUITES = {"linear_probe": "probing", "knn_probe": "probing", "zero_shot": "zero-shot", "finetune": "fine-tuning",
          "generation_pixel": "generation", "reconstruction_video": "video-reconstruction",
          "generation_video": "video-generation"}
DATASETS = {"MS-COCO-2017": "coco-2017"}
# Decimals that a paper means even where the table's text copy lost a trailing zero.
DECIMALS = {"psnr": 2, "ssim": 2, "lpips": 2, "rfid": 2, "gfid": 2, "is": 1, "precision": 2, "recall": 2, "top1": 3}


def slug(text):
    text = text.lower().replace(" + ", " ").replace("+", " plus ")
    text = re.sub(r"[^a-z0-9.]+", "-", text)
    return text.strip("-.")


def named(tokenizer, variant):
    for known, pattern, (name, form) in NAMES:
        if known == tokenizer and (found := re.fullmatch(pattern, variant)):
            return slug(found.expand(name)), slug(PRINTED.sub("", found.expand(form.replace(r"\1\2", r"\g<1>\g<2>"))))
    return slug(tokenizer), slug(PRINTED.sub("", variant))


def guidance(variant, text):
    low = f"{variant} {text}".lower()
    if "not stated" in low:
        return ""
    if "paper says 1.51" in low:  # of RAE, without guidance
        return "unguided"
    if re.search(r"\bag\b", low):
        return "guided"
    if re.search(r"no[ -](?:guidance|cfg)", low):
        return "unguided"
    return "guided" if re.search(r"guidance|cfg", low) else ""


def setting(row):
    if row["suite"] in ("generation", "generation_pixel") and row["metric"] != "convergence_speedup_x":
        return guidance(row["variant"], row["setting"])
    if row["suite"] == "knn_probe":
        return "knn" if "k-NN" in row["setting"] else "linear"
    if row["suite"] == "linear_probe" or row["metric"] == "linear_top1":
        return "linear-of-generator" if "NOT of the tokenizer" in row["setting"] else "linear"
    if row["suite"] == "understanding":
        return slug(row["setting"].split(",")[0]) if row["setting"].startswith("LLaVA") else ""
    return ""


def split(row):
    """The part that was measured, how many pictures where it is said, and a reference that is no validation set."""
    text = row["split"]
    dialect = {"val recon vs ADM TRAIN stats": "adm-train-reference", "val recon vs TRAIN ref": "train-reference",
               "50k TRAIN images vs ADM train stats": "adm-train-reference"}.get(text, "")
    part = {"-": "", "train-ref": "", "50k TRAIN images vs ADM train stats": "train"}.get(text, text.split(" ")[0])
    n = "5000" if "5000 images" in text or row["setting"].startswith("5k-image reference") else ""
    if "wrong reference" in row["setting"] and row["metric"] == "rfid":
        dialect = "adm-train-reference"
    if row["metric"] == "ssim_dr2":
        dialect = "data-range-2"
    if "PSNR on Y channel" in row["setting"] and row["metric"] == "psnr_db":
        dialect = "y-channel"
    if row["metric"] == "decoder_gflops":
        dialect = "decoder"
    return slug(part), n, dialect


def origin(source):
    """Paper or repository, its version, and the source without words about how it was copied here."""
    clean = re.sub(r" \((?:text copy|copy id \d+|garbled digits corrected where noted)\)| \((?:zh )?news on ([^)]*)\)",
                   lambda m: f" on {m[1]}" if m[1] else "", source)
    if found := re.search(r"arXiv (?:v1 )?(\d{4}\.\d{5})(v\d+)?", source):
        return f"arXiv:{found[1]}", found[2] or "", clean
    if found := re.search(r"arxiv.org/html/(\d{4}\.\d{5})", source):
        return f"arXiv:{found[1]}", "", clean
    if source.startswith("rae-dit.github.io"):
        return "arXiv:2510.11690", "project page", clean
    if found := re.match(r"([\w.-]+/[\w.-]+)@([0-9a-f]{7})", source):
        return found[1], found[2], clean
    if found := re.match(r"([\w.-]+/[\w.-]+#\d+)", source):
        return found[1], "", clean
    if found := re.match(r"HF model card (\S+)", source):
        return found[1], "", clean
    raise SystemExit(f"no paper in `{source}`")


def suite_of(row, metric):
    if row["suite"] == "ablation":
        return "probing" if metric == "top1" else "reconstruction"
    return SUITES.get(row["suite"], row["suite"])


def dataset_of(row):
    return "" if row["dataset"] == "-" else DATASETS.get(row["dataset"], slug(row["dataset"]))


def cleaned(row):
    tokenizer, variant = named(row["tokenizer"], row["variant"])
    metric = METRICS.get(row["metric"], row["metric"])
    suite = suite_of(row, metric)
    part, n, dialect = split(row)
    value = Decimal(row["value"])
    if row["metric"] in PERCENT:
        value = value.scaleb(-2)
    paper, version, source = origin(row["source"])
    note = "" if row["setting"] == "-" else row["setting"]
    if suite != row["suite"] and row["suite"] in ("ablation", "generation_pixel") and not note:
        note = row["suite"]
    resolution = "" if row["resolution"] == "-" else row["resolution"]
    values = (tokenizer, variant, suite, dataset_of(row), part, resolution, n, metric, dialect, setting(row), f"{value:f}",
              source, paper, version, row["confidence"], "", note)
    return dict(zip(COLUMNS, values))


def ids(row):
    keys = "tokenizer variant suite dataset split resolution metric dialect setting".split()
    return tuple(row[key] for key in keys)


def half_unit(row):
    digits = max(-Decimal(row["value"]).as_tuple().exponent, DECIMALS.get(row["metric"], 0))
    return Decimal(5).scaleb(-digits - 1)


def flag(rows):
    groups = defaultdict(list)
    for row in rows:
        groups[ids(row)].append(row)
    for group in groups.values():
        for row in group:
            apart = [other for other in group if abs(Decimal(other["value"]) - Decimal(row["value"]))
                     > half_unit(other) + half_unit(row)]
            row["contradicted"] = "yes" if apart else "no"


PAPERS = {"rae": "rae-dit.github.io", "uae": "arXiv 2512.19693v5", "openvision3": "arXiv 2601.15369v2"}


def tables(raw):
    """Per paper: table -> row -> column -> values as text, a share as the percentage that is printed."""
    for paper, start in PAPERS.items():
        found = {}
        for row in raw:
            if not row["source"].startswith(start):
                continue
            metric = METRICS.get(row["metric"], row["metric"])
            resolution = "" if row["resolution"] == "-" else row["resolution"]
            table = "|".join([suite_of(row, metric), dataset_of(row), resolution, origin(row["source"])[2]])
            name = "|".join(named(row["tokenizer"], row["variant"]))
            column = "|".join([metric, split(row)[2], setting(row)])
            found.setdefault(table, {}).setdefault(name, {}).setdefault(column, []).append(row["value"])
        yield paper, found


def main(raw_path, clean_path, golden):
    with open(raw_path, newline="") as file:
        raw = list(csv.DictReader(file))
    rows = [cleaned(row) for row in raw]
    flag(rows)
    keys = [ids(row) + (row["source"], row["note"]) for row in rows]
    twice = {key for key in keys if keys.count(key) > 1}
    for key in sorted(twice):
        print("twice:", key, file=sys.stderr)
    if twice:
        raise SystemExit(1)
    with open(clean_path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for paper, found in tables(raw):
        (Path(golden) / f"{paper}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    contradicted = sum(row["contradicted"] == "yes" for row in rows)
    print(f"{len(rows)} rows, {len({row['tokenizer'] for row in rows})} tokenizers, {contradicted} contradicted")


main(*sys.argv[1:])
