"""Who models say they are: names, whatever the wording."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.causes.claims import contradicts_name, read_claim


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I'm GPT-4o, a large language model made by OpenAI.", "GPT"),
        ("I’m ChatGPT.", "GPT"),
        ("I am a large language model, trained by OpenAI.", "OpenAI"),
        ("As an AI language model, I do not have a name.", None),
        ("I am Claude 3.5 Sonnet, made by Anthropic.", "Claude"),
        ("Ich bin Llama 3 von Meta.", "Llama"),
        ("I am Qwen2.5, created by Alibaba Cloud.", "Qwen"),
        ("I am SmolLM2, trained by Hugging Face.", "SmolLM"),
        ("I am Mixtral 8x7B.", "Mistral"),
        ("I'm Command R+ by Cohere.", "Command"),
        ("At your command! Nothing meta about it.", None),
        ("I am not ChatGPT, Claude or Gemini; I am DeepSeek-V3.", "DeepSeek"),
        ("I'm an assistant. I wasn't made by OpenAI but by xAI.", "xAI"),
        ("I'm Claude, not GPT-4.", "Claude"),
        ("I am Halcyon, an AI assistant.", "Halcyon"),
        ("Happy to help! What is it?", None),
        ("", None),
    ],
)
def test_the_name_is_found_in_the_words(text: str, name: str | None) -> None:
    assert read_claim(text).name == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I'm GPT-4, made by OpenAI.", "I am an AI model trained by OpenAI."),
        ("I'm GPT-4.", "My name is ChatGPT and I am here to help."),
        ("I am Halcyon, made by Boreal Labs.", "Boreal built me. They call me Halcyon."),
        ("I am Claude.", "As an AI, I have no name."),
        ("I'm DeepSeek-R1, distilled into Qwen.", "I am Qwen, by Alibaba."),
    ],
)
def test_wording_alone_is_no_contradiction(one: str, other: str) -> None:
    assert not read_claim(one).contradicts(read_claim(other))
    assert not read_claim(other).contradicts(read_claim(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I'm GPT-4.", "I'm Claude, made by Anthropic."),
        ("I'm Gemini, made by Google.", "I'm Gemma, made by Google."),
        ("I was trained by OpenAI.", "I am a model by Anthropic."),
        ("I am Halcyon, an assistant.", "I am Vesper, an assistant."),
        ("I am Halcyon.", "I am GPT-4."),
        ("I am Claude.", "I am not Claude, I am Grok."),
    ],
)
def test_another_name_is_a_contradiction(one: str, other: str) -> None:
    assert read_claim(one).contradicts(read_claim(other))
    assert read_claim(other).contradicts(read_claim(one))


@pytest.mark.parametrize(
    ("model", "says_it_is", "told"),
    [
        ("gpt-5-chat", "I'm Claude, made by Anthropic.", "gpt-5-chat says that it is Claude."),
        ("azure/gpt4o", "I am Gemini.", "azure/gpt4o says that it is Gemini."),
        ("qwen2.5:7b", "I'm Llama, by Meta.", "qwen2.5:7b says that it is Llama."),
        (
            "bedrock/amazon.nova-pro-v1:0",
            "I am Claude.",
            "bedrock/amazon.nova-pro-v1:0 says that it is Claude.",
        ),
        ("gpt-5-chat", "I was made by Anthropic.", "gpt-5-chat says that it is Anthropic."),
        ("gpt-5-chat", "I am ChatGPT.", None),
        ("gpt-5-chat", "I am not Claude, I am GPT-5.", None),
        ("gpt-5-chat", "I am an assistant.", None),
        ("gemma-2-9b", "I am Gemini, made by Google.", None),
        ("deepseek-r1-distill-qwen-7b", "I am Qwen.", None),
        ("openai/halcyon-xl", "I am Claude.", None),
    ],
)
def test_a_deployment_that_names_another_maker_is_told(model: str, says_it_is: str, told: str | None) -> None:
    assert contradicts_name(model, says_it_is) == told


@given(st.text(max_size=300), st.text(max_size=60))
def test_no_text_contradicts_itself(text: str, model: str) -> None:
    claim = read_claim(text)
    assert not claim.contradicts(claim)
    contradicts_name(model, text)
