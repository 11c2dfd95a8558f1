package writer

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// errNoName is that none of them is free: as if the API server did not take the record.
var errNoName = errors.New("every name that its record could have is taken by another")

// Refused tells whether the API server will never take what was written.
func Refused(err error) bool {
	return errors.Is(err, errNoName) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}

// NotDone tells whether the API server has said that it did not do what it was asked for.
// Without an answer, or with one that it could not finish, it may have.
func NotDone(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsForbidden(err) ||
		apierrors.IsUnauthorized(err) || apierrors.IsTooManyRequests(err) || Refused(err)
}
