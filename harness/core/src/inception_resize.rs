use crate::choice::choice;

choice! {
    /// How a picture becomes the 299x299 values in `[-1, 1]` that FID's Inception network sees.
    pub enum InceptionResize = "resize of Inception" {
        /// TensorFlow 1's bilinear.
        Tf1 = "tf1": "TensorFlow 1's ResizeBilinear (output i samples i * from / to, no half-pixel \
            offset, no antialiasing), then (x - 128) / 128. Source: ADM evaluator.py, torch-fidelity",
        /// PyTorch's bilinear.
        HalfPixel = "half-pixel": "x / 255, torch interpolate(bilinear, align_corners=False) \
            without antialiasing, then 2 x - 1. Source: pytorch-fid",
        /// Pillow's bicubic in floating point.
        PilBicubic = "pil-bicubic": "Pillow BICUBIC of each channel in mode F, clipped to 0..255, \
            not rounded, then (x - 128) / 128. Source: clean-fid, mode clean",
        /// PyTorch's bilinear with antialiasing.
        Antialias = "antialias": "torch interpolate(bilinear, align_corners=False, \
            antialias=True), then (x - 128) / 128. Source: torchmetrics 1.8 and later by default",
    }
}
