use crate::choice::choice;

choice! {
    /// The network whose features LPIPS compares.
    pub enum LpipsTrunk = "LPIPS trunk" {
        /// AlexNet.
        Alex = "alex": "torchvision AlexNet (ImageNet), five layers. Source: lpips 0.1.4, its \
            default; torchmetrics, pyiqa",
        /// VGG-16.
        Vgg = "vgg": "torchvision VGG-16 (ImageNet), relu1_2 to relu5_3. Source: lpips 0.1.4 with \
            net=\"vgg\", taming-transformers; what RAE, UAE and LlamaGen evaluate with",
        /// SqueezeNet 1.1.
        Squeeze = "squeeze": "torchvision SqueezeNet 1.1 (ImageNet), seven layers. Source: lpips \
            0.1.4 with net=\"squeeze\"",
    }
}
