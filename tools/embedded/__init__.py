"""Builds the embedded tasks and the embedded model that ship in ``mvlpt/assets``.

Nobody needs to run these programs to use the framework; they are here so that every shipped byte can be explained and
made again: ``build_tasks.py`` cuts the tasks from pinned artwork, ``pretrain.py`` trains the model, ``evaluate.py``
prints its zero-shot table.
"""
