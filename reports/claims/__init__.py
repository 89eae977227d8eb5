"""The source paper's claims and what a study says of them."""

from reports.claims.judgement import ClaimVerdict
