use crate::choice::choice;

choice! {
    /// Definition of PSNR. `R` is the range of the pixels, `mse` the mean over rows, columns, channels.
    pub enum PsnrDialect = "PSNR dialect" {
        /// Mean over images.
        PerImage = "per-image": "mean over images of 10 log10(R^2 / mse); an image without error \
            is infinite, counted and said. Source: skimage peak_signal_noise_ratio per image, \
            torchmetrics with dim=(1,2,3)",
        /// One value for the set.
        Global = "global": "10 log10(R^2 / mse) of the mse over all pixels of all images. Source: \
            torchmetrics PeakSignalNoiseRatio without dim (VTBench)",
        /// 100 dB cap.
        Rae = "rae": "mean over images of -10 log10(max(mse, 1e-10)) with R = 1: at most 100 dB. \
            Source: RAE src/eval/ref_iqa.py (UAE's is the same file)",
        /// 80 dB cap.
        Piq = "piq": "mean over images of -10 log10(mse + 1e-8) with R = 1: at most 80 dB. \
            Source: piq 0.8.0 psnr.py, pyiqa psnr_arch.py",
        /// Luma with the 80 dB cap.
        PyiqaY = "pyiqa-y": "as piq, on BT.601 luma .299 R + .587 G + .114 B (weights as f32). \
            Source: pyiqa psnry",
    }
}

choice! {
    /// Definition of SSIM: `C1 = (0.01 R)^2`, `C2 = (0.03 R)^2`, per channel, mean over the map.
    pub enum SsimDialect = "SSIM dialect" {
        /// Gaussian window, reflected borders.
        TorchMetrics = "torchmetrics": "Gaussian 11 taps, sigma 1.5; borders reflected without \
            repeating the edge, mean over the full map; population moments, variances clamped at \
            0. Source: torchmetrics 1.9.0 functional/image/ssim.py; RAE, UAE, VTBench use it",
        /// Gaussian window, valid region.
        Wang = "wang": "Gaussian 11 taps, sigma 1.5; windows inside the picture only; population \
            moments. Source: Wang et al. 2004; skimage gaussian_weights=True, \
            use_sample_covariance=False; piq without downsampling",
        /// Uniform window.
        Skimage7 = "skimage7": "uniform 7x7; windows inside the picture only; sample moments \
            (x 49/48). Source: skimage 0.26.0 structural_similarity, default arguments",
        /// The data-range slip of LlamaGen.
        LlamaGen = "llamagen": "skimage7 with R = 2 although pixels are in [0, 1], which inflates \
            the value: reproduction only. Source: LlamaGen reconstruction_vq_ddp.py",
        /// Luma, rounded.
        PyiqaY = "pyiqa-y": "wang on BT.601 luma rounded to whole levels, contrast term clamped \
            at 0. Source: pyiqa ssim_arch.py",
    }
}

choice! {
    /// Definition of MS-SSIM: exponents .0448 .2856 .3001 .2363 .1333, 2x average pooling between.
    pub enum MsSsimDialect = "MS-SSIM dialect" {
        /// Mixed borders.
        TorchMetrics = "torchmetrics": "contrast terms over the valid map, last SSIM over the \
            reflected full map; image means clamped at 0; sides of at least 176. Source: \
            torchmetrics 1.9.0",
        /// Valid everywhere.
        Piq = "piq": "valid windows everywhere; product per channel, then mean over channels; \
            odd sides repeat their first row or column before pooling; sides of at least 161. \
            Source: piq 0.8.0 ms_ssim.py",
    }
}
