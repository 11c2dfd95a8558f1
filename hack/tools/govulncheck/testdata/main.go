// Vulnerable calls what the vulnerability database knows: hack/vulncheck.sh has to find it.
package main

import "golang.org/x/text/language"

func main() {
	// GO-2021-0113: some inputs let it read beyond their end. Mended in v0.3.7.
	if _, err := language.Parse("en"); err != nil {
		panic(err)
	}
}
