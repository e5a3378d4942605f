"""Who is asking: tokens and the keys they are verified with, share links, accounts, and what a role allows."""
