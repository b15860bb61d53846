"""The settings of one process, from arguments, environment, file and built-ins."""

from infra.settings.loading import load_settings
from infra.settings.offers import ModelSettings, OfferSettings
from infra.settings.problems import Problem, SettingsProblem
from infra.settings.providers import ProviderSettings
from infra.settings.root import Settings

__all__ = [
    "ModelSettings",
    "OfferSettings",
    "Problem",
    "ProviderSettings",
    "Settings",
    "SettingsProblem",
    "load_settings",
]
