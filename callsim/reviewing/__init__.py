"""The periodic review of terms: which targets to keep, to raise, to lower."""
