"""Parts of `fogbank.templates.build`: code folders, requirements, handlers."""
