//go:build !race

package storageos

const raceDetector = false
