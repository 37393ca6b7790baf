# Defines upload_response::upload_response, the shared library, upload_response::static,
# the static one, and upload_response::header, the SDK without a library.
get_filename_component(_ur_libdir "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
find_path(_ur_include upload_response.h HINTS "${_ur_libdir}/../include" "${_ur_libdir}/../../include" NO_CACHE)
if(NOT TARGET upload_response::upload_response)
  add_library(upload_response::header INTERFACE IMPORTED)
  set_target_properties(upload_response::header PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_ur_include}"
    INTERFACE_COMPILE_DEFINITIONS _GNU_SOURCE)
  add_library(upload_response::upload_response SHARED IMPORTED)
  set_target_properties(upload_response::upload_response PROPERTIES
    IMPORTED_LOCATION "${_ur_libdir}/libupload_response.so"
    IMPORTED_SONAME libupload_response.so.0
    INTERFACE_INCLUDE_DIRECTORIES "${_ur_include}"
    INTERFACE_COMPILE_DEFINITIONS UR_SHARED)
  add_library(upload_response::static STATIC IMPORTED)
  set_target_properties(upload_response::static PROPERTIES
    IMPORTED_LOCATION "${_ur_libdir}/libupload_response.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_ur_include}"
    INTERFACE_COMPILE_DEFINITIONS UR_SHARED)
endif()
