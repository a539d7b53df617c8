"""CLIP's and SigLIP2's towers of texts with generated weights: `transformers`' models and tokenizers.

    text_towers.py [CASE...]   makes ../golden/text/CASE.json, all cases without arguments, and both tokenizer.json

A case is an id and the number of blocks of the tower of texts. Weights are those of recipe.py by the names of the published
files, rounded to f16 as a file half as large holds them; vocabularies are small ones that are made here, of the published
tokenizers' kinds. `noise` is how far PyTorch in f32 is from itself in f64, in units of the standard deviation.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import normalizers, processors
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipModel,
)

import recipe
from checksum import checksum

GOLDEN = Path(__file__).parent.parent / "golden" / "text"
# Rows of the table that no token has, as in tables that are padded.
SPARE = 3

WORDS = "the image of a cat dog photo in small picture and on with white black café naïve".split()

TEXTS = [
    "", "a", "the image of a cat", "The IMAGE of a Cat", "a photo of a small white dog, on the grass.", "don't we'll 3dogs 12345 it's",
    "  two   spaces\ta tab\nand a line  ", "naïve café", "nai\u0308ve cafe\u0301", "ΌΣΟΣ Σίσυφος", "İSTANBUL ǅ ẞ",
    "日本語の猫", "🐈‍⬛ 👩🏽‍🚀", "\u200b\ufeff\u00a0\x00\x7f", "a ▁ <0x41> Ġ </w>",
]
MARKED = {"clip": ["a <|endoftext|> b", "<|startoftext|>cat<|ENDOFTEXT|>"], "siglip2": ["a <eos> b<pad>", "<bos>cat<EOS>"]}
CONTEXT = {"clip": 77, "siglip2": 64}


def merges(words, first, last):
    """Merges that build each word from its left end, in the order in which they come up."""
    known, pairs = set(), []
    for word in words:
        parts = list(word[:-1]) + [word[-1] + last]
        parts = ([first] if first else []) + parts
        done = parts[0]
        for part in parts[1:]:
            if (done, part) not in known:
                known.add((done, part))
                pairs.append((done, part))
            done += part
    return pairs


def byte_symbols():
    """The characters that stand for bytes in byte-level BPE, in the order of GPT-2's and CLIP's vocabularies."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in kept]
    symbols = {byte: chr(byte) for byte in kept} | {byte: chr(256 + index) for index, byte in enumerate(rest)}
    return [symbols[byte] for byte in kept + rest], symbols


def clip_tokenizer():
    order, symbols = byte_symbols()
    spelled = ["".join(symbols[byte] for byte in word.encode()) for word in WORDS]
    pairs = merges(spelled, "", "</w>")
    tokens = order + [symbol + "</w>" for symbol in order] + list(dict.fromkeys(a + b for a, b in pairs))
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer({token: index for index, token in enumerate(tokens)}, pairs)


def siglip_tokenizer():
    pairs = merges(WORDS, "▁", "")
    letters = sorted({letter for word in WORDS for letter in word} | set("bjkqvxyz.,?!'-0123456789▁İΣσόςίυφ語猫"))
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = list(dict.fromkeys(tokens + letters + [a + b for a, b in pairs]))
    tokenizer = Siglip2Tokenizer({token: index for index, token in enumerate(tokens)}, pairs)
    # As the published tokenizer's configuration asks for: no mark of begin, one of end.
    backend = tokenizer.backend_tokenizer
    backend.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    return tokenizer


def write_tokenizer(family, tokenizer):
    """The published files have no padding, no truncation and, of SigLIP2, no lower case."""
    kept = json.loads(tokenizer.backend_tokenizer.to_str())
    kept["truncation"] = kept["padding"] = None
    if family == "siglip2":
        kept["normalizer"] = json.loads(normalizers.Replace(" ", "▁").__getstate__())
    folder = GOLDEN / family
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(kept, ensure_ascii=False, separators=(",", ":")) + "\n")


def fill(model, faint):
    state = {}
    for key, value in model.state_dict().items():
        if not key.endswith("position_ids"):
            values = torch.from_numpy(recipe.tensor(key, list(value.shape)))
            state[key] = (values * 2.0**-10 if faint and "embeddings." in key else values).half().float()
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    assert not unexpected and all(key.endswith("position_ids") for key in missing), (missing, unexpected)
    return model.eval()


def clip(tokenizer, name, depth, faint):
    text = dict(num_hidden_layers=depth, vocab_size=len(tokenizer) + SPARE, bos_token_id=tokenizer.bos_token_id)
    if name == "clip-l":
        text |= dict(hidden_size=768, intermediate_size=3072, num_attention_heads=12, projection_dim=768)
    projection = 768 if name == "clip-l" else 512
    vision = dict(num_hidden_layers=0, hidden_size=64, num_attention_heads=1, intermediate_size=64, patch_size=112)

    def embed(eos, dtype, inputs):
        config = CLIPConfig(text_config=text | dict(eos_token_id=eos), vision_config=vision, projection_dim=projection)
        model = fill(CLIPModel(config), faint).to(dtype)
        model.text_model.eos_token_id = eos
        return model.get_text_features(**inputs).pooler_output, (model.logit_scale.exp().item(), 0.0)

    def run(texts, dtype):
        inputs = tokenizer(texts, padding=True, return_tensors="pt")
        # What the published configurations say, and what later ones do.
        old, new = (embed(eos, dtype, inputs) for eos in (2, tokenizer.eos_token_id))
        assert torch.equal(old[0], new[0])
        return new

    return run


def siglip2(tokenizer, name, depth, faint):
    text = dict(num_hidden_layers=depth, vocab_size=len(tokenizer) + SPARE)
    vision = dict(num_hidden_layers=0, hidden_size=64, num_attention_heads=1, intermediate_size=64, patch_size=112)

    def run(texts, dtype):
        model = fill(SiglipModel(SiglipConfig(text_config=text, vision_config=vision)), faint).to(dtype)
        inputs = tokenizer(texts, padding="max_length", max_length=64, padding_side="right", return_tensors="pt")
        # Trained without a mask: padding is seen.
        features = model.get_text_features(input_ids=inputs["input_ids"]).pooler_output
        return features, (model.logit_scale.exp().item(), model.logit_bias.item())

    return run


CASES = [("clip-l", 12, False), ("clip-b32", 2, False), ("siglip2-b", 2, False), ("clip-b32", 1, True), ("siglip2-b", 1, True)]


@torch.no_grad()
def write(name, depth, faint, tokenizer):
    family = name.split("-")[0]
    whole = "?" * (CONTEXT[family] - (2 if family == "clip" else 1))
    texts = TEXTS + MARKED[family] + [whole]
    ids = [tokenizer(text)["input_ids"] for text in texts]
    assert len(ids[-1]) == CONTEXT[family], len(ids[-1])
    run = (clip if family == "clip" else siglip2)(tokenizer, name, depth, faint)
    (exact, logit), (single, _) = run(texts, torch.float64), run(texts, torch.float32)
    noise = ((single - exact).abs().max() / exact.std()).item()
    # Texts must not all look alike.
    apart = (exact - exact.mean(0)).std() / exact.std()
    print(f"{name}, {depth} blocks: std {exact.std():.4g}, of texts {apart:.3g}, noise {noise:.2g}, logit {logit}")
    case = dict(
        depth=depth, vocabulary=len(tokenizer) + SPARE, texts=[dict(text=text, ids=row) for text, row in zip(texts, ids)],
        logit=logit, embeddings=checksum(exact), noise=float(f"{noise:.2g}"),
    )
    path = GOLDEN / f"{name}{'-faint' if faint else ''}.json"
    path.write_text(json.dumps(case) + "\n")


def main():
    wanted = sys.argv[1:]
    tokenizers = dict(clip=clip_tokenizer(), siglip2=siglip_tokenizer())
    for family, tokenizer in tokenizers.items():
        write_tokenizer(family, tokenizer)
    for name, depth, faint in CASES:
        if not wanted or name in wanted:
            write(name, depth, faint, tokenizers[name.split("-")[0]])


main()
