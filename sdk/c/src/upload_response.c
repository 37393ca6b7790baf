/* The library: the one macro emptied, so that the header's functions are
 * exported. See upload_response.map for what leaves the shared object. */
#define UR_INLINE
#include "upload_response.h"
