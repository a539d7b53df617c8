//! Protocols that published numbers turned out to be of: what is tried for one that does not come out.

/// A change of one field of the protocol.
#[derive(Debug)]
pub(crate) struct Suspicion {
    pub(crate) field: &'static str,
    pub(crate) value: &'static str,
    /// Metrics that it decides.
    pub(crate) metrics: &'static [&'static str],
    /// What is different then, with the known direction. METHODOLOGY.md and the sources that
    /// `explain` names have them.
    pub(crate) effect: &'static str,
}

const IMAGES: &[&str] = &["psnr", "ssim", "ms-ssim", "lpips", "rfid", "sfid"];
const CROPPED: &[&str] = &["psnr", "ssim", "ms-ssim", "lpips", "rfid", "sfid", "top1"];
const OF_8_BIT: &[&str] = &["psnr", "ssim", "ms-ssim", "lpips"];
const FRECHET: &[&str] = &["rfid", "sfid", "gfid"];

/// Fields that decide what is made of finished samples; the others made them.
pub(crate) const OF_SAMPLES: &[&str] = &["inception", "inception-score", "precision-recall"];

const fn suspect(
    (field, value): (&'static str, &'static str),
    metrics: &'static [&'static str],
    effect: &'static str,
) -> Suspicion {
    Suspicion { field, value, metrics, effect }
}

/// A closed list: each was found behind a published number. What the protocol has already is passed over.
pub(crate) const SUSPECTS: &[Suspicion] = &[
    suspect(("psnr", "pyiqa-y"), &["psnr"], "PSNR of the luma alone, 1.6 to 3.7 dB more"),
    suspect(
        ("psnr", "global"),
        &["psnr"],
        "PSNR of the mean error of all pictures, 0.8 to 1.9 dB less",
    ),
    suspect(("psnr", "per-image"), &["psnr"], "mean of the PSNR of each picture"),
    suspect(
        ("ssim", "llamagen"),
        &["ssim"],
        "SSIM with data_range 2 of pixels in [0, 1], 0.04 to 0.11 more",
    ),
    suspect(
        ("ssim", "skimage7"),
        &["ssim"],
        "SSIM with a uniform window of 7, 0.006 to 0.019 more",
    ),
    suspect(("ssim", "wang"), &["ssim"], "SSIM without borders"),
    suspect(
        ("ssim", "torchmetrics"),
        &["ssim"],
        "SSIM with a Gaussian window of 11 and data_range 1",
    ),
    suspect(("ssim", "pyiqa-y"), &["ssim"], "SSIM of the rounded luma alone"),
    suspect(("ms-ssim", "torchmetrics"), &["ms-ssim"], "MS-SSIM as torchmetrics has it"),
    suspect(("ms-ssim", "piq"), &["ms-ssim"], "MS-SSIM as piq has it"),
    suspect(("lpips", "alex"), &["lpips"], "LPIPS by AlexNet"),
    suspect(("lpips", "vgg"), &["lpips"], "LPIPS by VGG-16"),
    suspect(("lpips", "squeeze"), &["lpips"], "LPIPS by SqueezeNet"),
    suspect(("quantiser", "truncate"), IMAGES, "pixels truncated to 8 bits, 0.15 dB less at 40 dB"),
    suspect(("quantiser", "round"), IMAGES, "pixels rounded to 8 bits"),
    suspect(("quantiser", "round-half-up"), IMAGES, "pixels rounded half up"),
    suspect(("quantiser", "none"), OF_8_BIT, "pixels not rounded to 8 bits"),
    suspect(("crop", "adm-center"), CROPPED, "ADM's crop: box halvings, then bicubic"),
    suspect(("crop", "resize-center"), CROPPED, "torchvision's Resize and CenterCrop"),
    suspect(("crop", "center"), CROPPED, "the centre without a resize"),
    suspect(("crop", "none"), CROPPED, "whole pictures without a crop"),
    suspect(("posterior", "sample"), IMAGES, "a sample of the posterior in place of its mode"),
    suspect(("inception", "tf1"), FRECHET, "Inception's input by TensorFlow 1's resize"),
    suspect(
        ("inception", "half-pixel"),
        FRECHET,
        "Inception's input by PyTorch's resize (pytorch-fid)",
    ),
    suspect(
        ("inception", "pil-bicubic"),
        FRECHET,
        "Inception's input by Pillow's bicubic (clean-fid)",
    ),
    suspect(
        ("inception", "antialias"),
        FRECHET,
        "Inception's input with antialiasing (torchmetrics 1.8)",
    ),
    suspect(("inception-score", "adm"), &["is"], "ADM's score: blocks of 5,000 as they come"),
    suspect(("inception-score", "tfid"), &["is"], "torch-fidelity's score: ten shuffled splits"),
    suspect(
        ("precision-recall", "adm-fp16"),
        &["precision", "recall"],
        "ADM's distances in half precision",
    ),
    suspect(("precision-recall", "exact"), &["precision", "recall"], "exact distances"),
    suspect(("pooling", "mean"), &["top1"], "mean of the patch tokens"),
    suspect(("pooling", "cls"), &["top1"], "the class token"),
    suspect(("pooling", "cls+mean"), &["top1"], "class token and mean of the patch tokens"),
    suspect(("probe", "probe/logistic"), &["top1"], "logistic regression"),
    suspect(("probe", "probe/dinov2"), &["top1"], "DINOv2's grid of heads"),
    suspect(("probe", "probe/mae"), &["top1"], "MAE's head with batch norm and LARS"),
];

/// Distances whose reference may have been made of pictures as they are, which an evaluator resizes for its
/// network: a folder of them given in place of cropped ones. What is different then, with the known direction.
pub(crate) const UNCROPPED: (&[&str], &str) = (
    &["rfid", "sfid"],
    "the reference of whole pictures, squeezed into the network's square; 0.7 more in one thread",
);

/// Known causes that no field of a protocol brings about: metric, what it is, which way it moves.
pub(crate) const UNTRIABLE: &[(&[&str], &str, &str)] = &[
    (
        &["rfid"],
        "moments of training pictures (ADM's npz) as the reference",
        "1.3 to 2.1 more; features of such pictures can be tried with --wrong-reference FILE",
    ),
    (
        &["gfid"],
        "moments of uncropped or of validation pictures as the reference",
        "any way; such moments can be tried with --wrong-reference FILE",
    ),
    (
        &["gfid", "is", "sfid", "precision", "recall"],
        "classes drawn uniformly instead of balanced",
        "gFID about 0.1 more; --labels of `run` draws them",
    ),
    (
        &["gfid", "is", "sfid", "precision", "recall"],
        "another sampler, number of steps, guidance or arithmetic",
        "any way; drawing again takes as long as the first time, so nothing was drawn again",
    ),
];
