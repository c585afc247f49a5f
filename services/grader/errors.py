"""The grader's errors; the command line prints each as one line and exits 1.

LabError (a ConductorError, which the command line knows)
├── LabInvalid       a file of a lab is wrong; says which file, which key and which value
├── UnknownLab       no lab of that name is in the catalogue
├── QuizInvalid      a file of a quiz is wrong, or what proves a key fails; says which file, which question and which value
├── UnknownQuiz      no file of labs/quizzes/ has that name
├── ExamInvalid      a file of an exam is wrong, or has too little to draw from; says which file, which key and which value
├── UnknownExam      no file of labs/exams/ has that name
├── NotNow           an exam does not allow it: no attempt runs, its time is over, or it must be waited for; says until when
├── CertificateBad   a certificate, a key or a signature is not what it should be
├── WorkspaceError   the learner's workspace is missing, is there already, or holds what cannot be graded
├── GradebookBroken  the chain of hashes does not hold
├── Interrupted      a grading was told to stop before its end
└── Unable           the grader itself could not do what a check needs: the verdict is `error`, and costs nothing
    └── TooBusy      other work takes the processors, so that a duration tells nothing
"""

from conductor.errors import ConductorError


class LabError(ConductorError):
    """Base of everything the grader raises on purpose."""


class LabInvalid(LabError):
    """A lab cannot be used as it is written."""


class UnknownLab(LabError):
    """Asked for a lab that the catalogue does not name."""


class QuizInvalid(LabError):
    """A quiz cannot be used as it is written."""


class UnknownQuiz(LabError):
    """Asked for a quiz that is not there."""


class ExamInvalid(LabError):
    """An exam cannot be used as it is written."""


class UnknownExam(LabError):
    """Asked for an exam that is not there."""


class NotNow(LabError):
    """What an exam does not allow at this moment."""


class CertificateBad(LabError):
    """A certificate that does not hold, or a key that is none."""


class WorkspaceError(LabError):
    """A workspace that cannot be made or read."""


class GradebookBroken(LabError):
    """The gradebook was changed other than by appending."""


class Interrupted(LabError):
    """A grading was told to stop: there is no result."""


class Unable(LabError):
    """The grader lacks something that a check needs; the learner is not at fault."""


class TooBusy(Unable):
    """Other work takes the processors; says what took too long."""

    def __init__(self, what: str) -> None:
        super().__init__(f"this machine is too busy to tell: {what}")
