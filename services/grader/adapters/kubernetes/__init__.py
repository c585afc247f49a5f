"""A box made of pods: the learner's programs run in a namespace of a cluster, the servers of the grading stay where the grader is."""
