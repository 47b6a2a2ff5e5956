"""gatework where others are: as estimators of sktime, darts and Nixtla's tools, and on the Hugging Face Hub.

Each module needs the library that it is named for, and is imported by its own name: `gatework.adapters.sktime`.
"""
