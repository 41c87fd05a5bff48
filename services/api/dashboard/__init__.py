"""The pages: what the REST API knows, for people with a browser.

How to add a page, for example `/suites`:
1. `views/suites.py`: a frozen dataclass that holds all that the page shows, and `read_suites(connection, …)`
   that makes it from the same readers as the REST API. Sentences and orders are made here; no HTML.
2. `templates/suites.html`: extends `base.html`, imports `marks.html` (states, meters, intervals, trends) and
   `parts.html` (section heads, messages). It loops and prints; it decides nothing. Numbers go through filters
   (`| share`, `| points`, `| usd`, `| evidence`, `| night`): what is None reads as not measured, never as 0.
3. `pages/suites.py`: a router made by `page_router()`; its function takes `visit: Visiting` and the query,
   and ends with `return await visit.show("suites.html", view)`. What is raised on the way becomes a page.
   A POST first calls `await visit.read_form(Scope.SUBMIT)`, which checks scope and token, and ends with
   `visit.go("/…")`.
4. Name the router in `pages/__init__.py`. The navigation in `templates/base.html` has the link already.
5. Charts: small ones are drawn by `charts/` as SVG; `{{ plot(id, data) }}` beside one lets Plotly take over
   where scripts run. Then look at the page: light, dark, 390 px wide, without script.
"""
