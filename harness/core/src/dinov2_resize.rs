use crate::choice::choice;

choice! {
    /// How a picture becomes the 224x224 that DINOv2 sees when pictures are compared in its space.
    ///
    /// Sides are brought to 224 each by itself; ImageNet's mean and deviation follow in each.
    pub enum Dinov2Resize = "resize of DINOv2" {
        /// Pillow's bicubic in 8 bits.
        Dgm = "dgm": "Pillow BICUBIC of the 8-bit picture, then x / 255. Source: dgm-eval, \
            models/dinov2.py",
        /// Pillow's bicubic in floating point.
        DgmClean = "dgm-clean": "Pillow BICUBIC of each channel in mode F, clipped to 0..255, not \
            rounded, then x / 255. Source: dgm-eval with --clean_resize; IQA-PyTorch's fid_dinov2 \
            resizes alike",
        /// TensorFlow 1's bilinear.
        TorchFidelity = "tfid": "TensorFlow 1's ResizeBilinear (output i samples i * from / to, no \
            half-pixel offset, no antialiasing), then x / 255. Source: torch-fidelity, \
            feature_extractor_dinov2.py",
    }
}
