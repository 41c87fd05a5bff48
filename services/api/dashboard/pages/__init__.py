"""Every page of the product, by the router that answers it."""

from services.api.dashboard.pages import home, incidents, model, signing

PAGES = (home.router, incidents.router, model.router, signing.router)
