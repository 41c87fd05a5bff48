import os

# Before any module here imports LiteLLM, which would ask the network for prices.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
