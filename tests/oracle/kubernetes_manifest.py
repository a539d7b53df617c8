"""Checks a manifest of `prismbench submit kubernetes` against the models of Kubernetes' own Python client, which are
generated from its OpenAPI: every field must be one of the model's, and of its type.

    prismbench submit kubernetes --shards 8 --image lab/prismbench:1 --claim data --gpus 1 --memory 8Gi \\
        | python tests/oracle/kubernetes_manifest.py

Needs `pip install kubernetes` (37.0.2 was used).
"""

import json
import re
import sys

from kubernetes import client

PLAIN = {"str": str, "int": int, "bool": bool}


def check(kind, value, place):
    """Raises AssertionError with the place of the first thing that `kind` does not allow."""
    if value is None:
        return
    if (inner := re.fullmatch(r"[Ll]ist\[(.*)\]", kind)) is not None:
        assert isinstance(value, list), f"{place}: no list"
        for index, item in enumerate(value):
            check(inner[1], item, f"{place}[{index}]")
    elif (inner := re.fullmatch(r"[Dd]ict[(\[]str, (.*)[)\]]", kind)) is not None:
        assert isinstance(value, dict), f"{place}: no object"
        for key, item in value.items():
            check(inner[1], item, f"{place}.{key}")
    elif kind in PLAIN:
        # Python's True is an int.
        assert type(value) is PLAIN[kind], f"{place}: {value!r} is no {kind}"
    else:
        model = getattr(client, kind)
        names = {json_name: name for name, json_name in model.attribute_map.items()}
        unknown = set(value) - set(names)
        assert not unknown, f"{place}: {kind} has no {sorted(unknown)}"
        for json_name, item in value.items():
            check(model.openapi_types[names[json_name]], item, f"{place}.{json_name}")
        # The constructor refuses an object without its required fields.
        model(**{names[json_name]: item for json_name, item in value.items()})


def main():
    manifest = json.load(sys.stdin)
    kinds = {"ConfigMap": "V1ConfigMap", "Job": "V1Job"}
    for item in manifest["items"]:
        check(kinds[item["kind"]], item, item["kind"])
    # A check that finds nothing wrong proves nothing.
    for change in ({"completions": "8"}, {"retries": 3}, {"template": None}):
        job = json.loads(json.dumps(manifest["items"][1]))
        job["spec"].update(change)
        try:
            check("V1Job", job, "Job")
        except (AssertionError, ValueError):
            continue
        sys.exit("a spoilt Job passed")
    print(f"{len(manifest['items'])} objects are what their models allow")


main()
