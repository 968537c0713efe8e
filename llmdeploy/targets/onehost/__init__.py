"""What docker and Compose share: both run containers on one host, and differ only in how they spell one."""
