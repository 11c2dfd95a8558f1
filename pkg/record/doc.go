// Package record knows what the record of a StorageOS volume says.
//
// FromVolume makes the content of a record out of a volume as the API lists it, FromRecord
// reads it back; HealthStatus and Condition are what is concluded from it, Names what it may
// be called. Everything here is a value made out of values: no I/O, no lock, no clock.
package record
