# The Debian package: cpack --config build/release/CPackConfig.cmake -B build/package
# It holds the program (the console is compiled in), the unit and the manuals.
install(FILES README.md CHANGELOG.md CONTRIBUTING.md LICENSE DESTINATION share/doc/holdfast)
install(FILES LICENSE DESTINATION share/doc/holdfast RENAME copyright)
install(DIRECTORY docs DESTINATION share/doc/holdfast)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME holdfast)
set(CPACK_PACKAGE_VENDOR Holdfast)
set(CPACK_PACKAGE_CONTACT "Holdfast <root@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "homes with every save a version, buckets and tools")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Gives every tool a home directory at local-disk speed, keeps every save as a
version in object storage, mounts granted buckets, launches tools in containers
and serves the same files by S3 and in the browser.")

# What it runs: mounts, the container engine and its network. The engine's parts are only
# recommended by podman's own package, and tools do not start without them.
# libcurl is loaded when it is needed, so that no tool sees it among what the program links.
set(runtime "fuse3, podman, runc, conmon, netavark, aardvark-dns, iptables, iproute2, libcurl4")
# The first tool's template runs Debian's jupyter from the host's own root.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS
  "jupyter-notebook, python3-ipykernel, python3-pandas, python3-matplotlib")
# Shared libraries are found by what the program links.
find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)
if(DPKG_SHLIBDEPS)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "${runtime}")
else()
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "${runtime}, libc6, libstdc++6, libboost-json1.81.0, \
libboost-url1.81.0, libssl3, libfuse3-3, libsqlite3-0, libxxhash0, libfmt9, \
libspdlog1.10, libpugixml1v5, zlib1g")
endif()
include(CPack)
