"""The page about providers: how each is enabled, from the registry, and notes on some of them."""

from infra.providers.registry import ProviderFacts, registry
from infra.type_names import table_row

HEAD = """# Providers

Generated from the registry of providers; `make docs` writes it anew.

A provider is enabled by its credential in the environment; nothing else is needed. Of the
variables in a row one is enough where they are joined by "or", and all are needed where they are
joined by "and"; the first that is set wins. `gatewayz providers list` says which are enabled and
what the others lack, `gatewayz providers check` asks the enabled ones whether they answer and take
the credential, at nobody's expense.

Everything can also be set in the [configuration](configuration.md), which comes before the
environment:

```yaml
providers:
  mistral: {api_key: "${OUR_MISTRAL_KEY}"}
  openai: {region: eu, organization: org-1}
  openai-research: {preset: openai, api_key: "${RESEARCH_KEY}"}   # a second account
  ollama: {protocol: ollama, base_url: "http://gpu-box:11434"}    # its own routes
  house: {base_url: "http://vllm:8000/v1"}                        # any server with OpenAI's routes
  lmstudio: {enabled: true, timeouts: {first_byte: 5m}}           # loads its model at first
  groq: {enabled: false}
```

The offers of the shipped catalogue are those of the names in the table; a provider under a name of
your own sells what is listed for it under `models`.

What a provider does not take is never dropped in silence: a parameter that only tunes the answer
is left out and named to the caller, one that would change the answer makes another offer take the
request. Facts marked "low" come from one weak source: check such a provider before you rely on
it.

"""
NOTES = """
## Alibaba Cloud

There are two providers, because a key belongs to one region and answers 401 in the other:
`alibaba-cloud` is the international one (Singapore; `region: us` is Virginia), `alibaba-cloud-cn`
is mainland China (Beijing). Their variables are in the table.

Requests go to mainland China only if you allow it: by a key that is named for it, or by
`ALIBABA_CLOUD_REGION=china`, which makes mainland China the only region and gives it the keys of
no named region. `ALIBABA_CLOUD_REGION=international` switches mainland China off.

With both enabled each region is an offer of its own, and one takes over from the other like any
two offers: after a refused key, an outage or a used-up quota the next offer is asked, and a region
that keeps failing is left alone for a while. Billing in Beijing is in CNY; offers there carry
their own prices.

## Models that search the web

Some models search the web at every request: Perplexity's `sonar`, `…-deep-research`,
`…-search-preview`. Their hosts bill the searches beside the tokens, so that an offer of one is sold
only at a price for them: by the request (`request`) or by the search (`search`). Searches are
charged as the host counts them, else as one for the answer; money is held for 10 of them, for 100
where a model researches, and no more are charged.

The data that is shipped has such prices of Perplexity, OpenAI and Google; OpenRouter's own list has
them too, and is believed once it was read. What has none is not sold, also not under customers' own
keys: `gatewayz check` names it, and `GET /admin/offers?unsold=true` has it with
`unsold_because: unpriced_searches`. To sell it, say what a search costs, or `search: 0` where the
price of the tokens has it:

```yaml
models:
  perplexity/sonar:
    offers:
      - {provider: helicone, native_id: sonar, input: 1, output: 1, search: "0.012"}
```

## Google Vertex

The credential is, in this order, `GOOGLE_VERTEX_CREDENTIALS_JSON` (the JSON of a service account,
also in base64) or `GOOGLE_APPLICATION_CREDENTIALS` (its file). On a machine that has an identity
of its own, `providers: {google-vertex: {ambient_credentials: true}}` uses that. The project is
`GOOGLE_CLOUD_PROJECT`, else the service account's. Tokens are fetched and renewed by google-auth:
`pip install 'gatewayz[vertex]'`.

The location is `GOOGLE_CLOUD_LOCATION`, by default `us-central1`. Previews and every `gemini-3*`
exist at the location `global` alone and are a 404 elsewhere. As long as no location is named they
are called at `global`, all others at `us-central1`. Once a location is named nothing leaves it,
unless `allow_global: true` says so. For several locations, make several providers:

```yaml
providers:
  google-vertex: {location: europe-west4}
  vertex-everywhere: {preset: google-vertex, location: global}
```

Models of other publishers need their agreement accepted in the console first (403 until then).

## Amazon Bedrock

A Bedrock key (`AWS_BEARER_TOKEN_BEDROCK`) or an access key; `AWS_PROFILE`, a role by web identity
or, with `ambient_credentials: true`, whatever the machine is allowed. The region is `AWS_REGION`,
by default `us-east-1`. `pip install 'gatewayz[bedrock]'`. The catalogue has the prices of other
regions under names of their own, such as `bedrock-eu`:

```yaml
providers:
  bedrock-eu: {preset: bedrock, region: eu-central-1, ambient_credentials: true}
```

## Azure

Models are called by the names of your deployments: name those as `native_id`. The address is that
of `AZURE_OPENAI_ENDPOINT`, or of a `resource`. The routes of v1 are used; with `AZURE_API_VERSION`
set to a date, those of single deployments. Instead of a key an application of Microsoft Entra
(`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`) will do.

## Servers of your own

`ollama`, `vllm` and `lmstudio` have no credential: they are enabled by their address
(`OLLAMA_HOST`, `HOSTED_VLLM_API_BASE`, `LM_STUDIO_API_BASE`) or by `enabled: true`. Ollama's
OpenAI routes are used unless `protocol: ollama` asks for its own, which know a JSON schema and
thinking. It cuts off a prompt that is longer than its context without a word: set
`OLLAMA_CONTEXT_LENGTH` on its side.
"""
COLUMNS = ("Provider", "Name", "Protocol", "Variables", "Runs in", "Facts")


def render() -> str:
    """The page as Markdown."""
    rows = [_row(name, facts) for name, facts in registry().items()]
    table = [table_row(*COLUMNS), table_row(*("---" for _ in COLUMNS)), *rows]
    return HEAD + "\n".join(table) + "\n" + NOTES


def _row(name: str, facts: ProviderFacts) -> str:
    groups = [_group(facts, group) for group in facts.needs]
    if len(groups) > 1:
        groups = [f"({group})" if " or " in group else group for group in groups]
    return table_row(
        f"`{name}`",
        f"[{facts.name}]({facts.docs})",
        facts.protocol,
        " and ".join(groups),
        facts.region or "",
        facts.confidence,
    )


def _group(facts: ProviderFacts, group: tuple[str, ...]) -> str:
    return " or ".join(
        f"`{variable}`{_pair(facts, setting)}"
        for setting in group
        for variable in facts.variables.get(setting, ())
    )


def _pair(facts: ProviderFacts, setting: str) -> str:
    others = (f"`{facts.variables[other][0]}`" for other in facts.pairs.get(setting, ()))
    return "".join(f" with {one}" for one in others)
