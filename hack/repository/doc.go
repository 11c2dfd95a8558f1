// Package repository checks what the host of the repository and its readers read, and no
// program does: workflows, updates of dependencies, the changelog, whom to tell of a hole. A
// typing error there is seen by nobody until the day on which it matters.
package repository
