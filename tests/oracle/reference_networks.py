"""The reference implementations of the feature networks, with generated weights or with weights from a file."""

import tempfile
from pathlib import Path

import lpips
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

import recipe

TAPS = ["64", "192", "768", "2048", "logits_unbiased", "logits"]


class Unread(FeatureExtractorInceptionV3):
    """The network before its weights are read, for the names and shapes of its tensors."""

    def load_state_dict(self, state_dict):
        pass


def inception_state():
    """Generated weights as the published file has them, counters of batch normalisation included."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.pth"
        torch.save({}, empty)
        shapes = Unread("names", TAPS, str(empty)).state_dict()
    return {
        name: value if name.endswith("num_batches_tracked") else torch.from_numpy(recipe.tensor(name, value.shape))
        for name, value in shapes.items()
    }


def inception(state):
    """torch-fidelity's network; it reads its weights from a file only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(state, path)
        return FeatureExtractorInceptionV3("inception", TAPS, str(path))


def torchvision_name(name):
    """`net.slice2.3.squeeze.weight` of lpips is `features.3.squeeze.weight` of torchvision."""
    return "features." + name.split(".", 2)[2] if name.startswith("net.") else name


def lpips_state(net):
    """Generated weights of a trunk and its linear layers by torchvision's and lpips's names."""
    model = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    names = {torchvision_name(name): value.shape for name, value in model.state_dict().items()}
    wanted = ("features.", "lin")
    return {
        name: torch.from_numpy(recipe.tensor(name, shape))
        for name, shape in names.items()
        if name.startswith(wanted) and not name.startswith("lins.")
    }


def lpips_network(net, state, **options):
    """The package's network with the weights of `state`."""
    model = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False, **options)
    own = model.state_dict()
    for name in own:
        source = torchvision_name(name).replace("lins.", "lin") if name.startswith("lins.") else torchvision_name(name)
        if source in state:
            own[name] = state[source]
        elif not name.startswith("scaling_layer"):
            raise KeyError(name)
    model.load_state_dict(own)
    return model.eval()
