use prismbench_core::{Better, MetricDef, Unit};

/// Numbers in one image's latent.
pub const LATENT_FLOATS: MetricDef = MetricDef {
    id: "latent-floats",
    title: "latent",
    unit: Unit::FloatsPerImage,
    better: Better::Lower,
    version: 1,
    definition: "numbers in one image's latent, whatever their precision; not defined for a bit \
        stream",
};

/// Bits of the coded image per pixel.
pub const BITS_PER_PIXEL: MetricDef = MetricDef {
    id: "bpp",
    title: "rate",
    unit: Unit::BitsPerPixel,
    better: Better::Lower,
    version: 1,
    definition: "8 x bytes of the stored bit stream / (rows x columns), mean over images; headers \
        count; not defined for a tokenizer whose latents are numbers",
};
