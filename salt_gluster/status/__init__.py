"""What is observed: reports, the pool from its reports, quorum, impact, age. Pure."""
