"""Did it get slower: two revisions, two stored runs, the history."""
