"""Every page of the product, by the router that answers it."""

from services.api.dashboard.pages import (
    anchors,
    compare,
    home,
    incidents,
    model,
    prompts,
    runs,
    schedules,
    signing,
    submit,
    suites,
)

PAGES = (
    home.router,
    compare.router,
    incidents.router,
    model.router,
    runs.router,
    submit.router,
    schedules.router,
    suites.router,
    prompts.router,
    anchors.router,
    signing.router,
)
