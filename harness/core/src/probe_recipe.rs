use crate::choice::choice;

choice! {
    /// How a classifier is fitted to frozen features and judged.
    pub enum ProbeRecipe = "probe" {
        /// A convex problem with one answer: the default.
        Logistic = "probe/logistic": "multinomial logistic regression on the features as they are: \
            mean cross-entropy + |W|^2 / (2 C n), intercept unpenalised, L-BFGS in f64 until the \
            loss is within an estimated 1e-9 of its minimum; two classes share one weight vector as \
            in scikit-learn. C is chosen on a held-out tenth of each class for its accuracy (the \
            smaller C of equals): decades from 1e-6 to 1e5 upwards until the held-out loss has \
            risen twice without a gain, then quarter decades around the best; refit on all. No \
            augmentation. Grid: DINOv2 eval/log_regression.py; objective: scikit-learn \
            LogisticRegression",
        /// A linear system with one answer.
        Ridge = "probe/ridge": "ridge regression onto +1 for the class and -1 for the others, \
            intercept unpenalised, in f64; the penalty, of the decades 1e-6 to 1e8, has the least \
            squared leave-one-out error. No augmentation. scikit-learn RidgeClassifierCV",
        /// DINOv2's grid of heads.
        Dinov2 = "probe/dinov2": "13 learning rates for each input: one is the pooling of the \
            protocol; with tap = last:4 and pooling = cls+mean (the preset dinov2-linear) there are the \
            original's four, the last class token or those of the last four blocks, each with and \
            without the mean patch token: 52 heads. Rates \
            1e-5 2e-5 5e-5 1e-4 2e-4 5e-4 1e-3 2e-3 5e-3 1e-2 2e-2 5e-2 0.1, times 1024 / 256; SGD \
            with momentum 0.9, no weight decay, 12,500 batches of 1,024, cosine to 0, weights from \
            N(0, 0.01). Augmentation off, where the original crops and flips at random: features \
            are extracted once. Source: DINOv2 eval/linear.py",
        /// MAE's batch norm and LARS.
        Mae = "probe/mae": "batch norm without affine (eps 1e-6) and a linear layer (weights of \
            deviation 0.01); LARS with momentum 0.9 and trust 0.001, no weight decay; learning rate \
            0.1 x batch / 256, batches of 16,384 or of the whole set, 7,020 of them (90 epochs of \
            ImageNet, whatever the size of the set), 780 of them warm-up, then half a cosine; judged \
            at the end. Augmentation and mixed precision off, where the original crops and flips at \
            random. Source: MAE main_linprobe.py, util/lars.py",
        /// DINOv2's weighted neighbours.
        Knn = "probe/knn": "the 10, 20, 100 and 200 nearest training samples by cosine similarity \
            vote with weights exp(similarity / 0.07). No augmentation. Source: DINOv2 eval/knn.py",
    }
}

choice! {
    /// Which samples pick the best of the heads that a probe trains.
    pub enum HeadChoice = "head choice" {
        /// Samples that are not part of the test set.
        HeldOut = "held-out": "the head with the best accuracy on a held-out tenth of each training \
            class, trained again on all",
        /// The test set itself: optimistic.
        TestSet = "test-set": "the head with the best accuracy on the test set, whose accuracy is \
            thereby optimistic. Source: DINOv2 eval/linear.py",
    }
}
