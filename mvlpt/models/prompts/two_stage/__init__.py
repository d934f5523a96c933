"""2SFS: layer norms in a first stage, weights of the classes in a second."""

from mvlpt.models.prompts.two_stage.learner import TwoStageLearner
from mvlpt.models.prompts.two_stage.method import TwoStage, TwoStageOptions

__all__ = ["TwoStage", "TwoStageLearner", "TwoStageOptions"]
