"""One side of the measurement of verification, as a process of its own: the bare client, or our prober.

    python asking.py CASE

CASE is JSON: `side` is `floor` (the bare client), `ours` (without a limit of pace) or `usual` (our usual
limits); `urls` are base URLs, `models` how many each has, `timeout` what a probe may take in seconds. Prints
how many outcomes of each kind there were, as JSON.
"""

import asyncio
import json
import sys
from collections import Counter

PER_PROVIDER = 8
TOTAL = 128


def names(count):
    return [f"model-{number}" for number in range(count)]


async def bare(urls, models):
    """Ask about every model, as many at once as we do, and decide nothing."""
    import httpx2

    found = Counter()
    free = asyncio.Semaphore(TOTAL)
    async with httpx2.AsyncClient(timeout=None, trust_env=False) as client:

        async def ask(url, waiting):
            while waiting:
                name = waiting.pop()
                async with free:
                    answer = await client.get(f"{url}/models/{name}")
                found["ok" if answer.json()["id"] == name else "wrong"] += 1

        works = []
        for url in urls:
            waiting = names(models)
            works += [ask(url, waiting) for _ in range(PER_PROVIDER)]
        await asyncio.gather(*works)
    return found


def probed(urls, models, *, timeout, is_usual):
    """Verify every model."""
    from reconciler.core.address import model_address
    from reconciler.core.probe import Access, ProbeTarget
    from reconciler.core.provider_kind import Probe, ProviderKind
    from reconciler.service.limits import Limits
    from reconciler.service.verification import probe_all

    kind = ProviderKind(
        *("bench", "openai"),
        default_credentials="none",
        loopback=True,
        probes={"model": Probe(path="/models/{model}")},
    )
    targets = [
        ProbeTarget(model_address(f"provider-{number}", name), kind, url, "none", "chat", "model", timeout)
        for number, url in enumerate(urls)
        for name in names(models)
    ]
    limits = Limits() if is_usual else Limits(rate=1e6, burst=1_000_000)
    return Counter(result.outcome for result in probe_all(targets, Access(), limits=limits))


def main():
    case = json.loads(sys.argv[1])
    side, urls, models = case["side"], case["urls"], case["models"]
    if side == "floor":
        found = asyncio.run(bare(urls, models))
    else:
        found = probed(urls, models, timeout=case["timeout"], is_usual=side == "usual")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
