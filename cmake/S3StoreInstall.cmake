# What `make install` puts where, and the Debian packages (`make deb`): the command, the shared
# library, and what programs are built with.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/s3store)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# ---- the command -----------------------------------------------------------------------------
install(TARGETS s3store_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/s3store.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
  COMPONENT command)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT command)
# The command prints them from its own tables.
add_custom_command(OUTPUT s3store.1 COMMAND s3store_command manual > s3store.1 VERBATIM)
set(printed ${CMAKE_CURRENT_BINARY_DIR}/s3store.1)
foreach(shell bash zsh fish)
  add_custom_command(OUTPUT completion.${shell}
    COMMAND s3store_command completion ${shell} > completion.${shell} VERBATIM)
  list(APPEND printed ${CMAKE_CURRENT_BINARY_DIR}/completion.${shell})
endforeach()
add_custom_target(printed ALL DEPENDS ${printed})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.bash RENAME s3store
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT command)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.zsh RENAME _s3store
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT command)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.fish RENAME s3store.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT command)

# ---- the library -----------------------------------------------------------------------------
set_target_properties(s3store_shared PROPERTIES EXPORT_NAME s3store)
install(TARGETS s3store_shared EXPORT s3store
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(TARGETS s3store ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(FILES docs/man/libs3store.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
  COMPONENT development)

install(EXPORT s3store NAMESPACE s3store:: FILE s3storeTargets.cmake DESTINATION ${package_dir}
  COMPONENT development)
configure_package_config_file(cmake/s3storeConfig.cmake.in s3storeConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(s3storeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/s3storeConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/s3storeConfigVersion.cmake
    cmake/S3StoreDependencies.cmake
  DESTINATION ${package_dir} COMPONENT development)

# Relative to itself, so that a tree can be moved and PREFIX be chosen at install time.
file(RELATIVE_PATH pc_prefix /x/${pkgconfig_dir} /x)
configure_file(cmake/s3store.pc.in s3store.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/s3store.pc DESTINATION ${pkgconfig_dir}
  COMPONENT development)

# ---- Debian packages -------------------------------------------------------------------------
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME s3store)
set(CPACK_PACKAGE_CONTACT "s3store maintainers <maintainers@s3store.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "append-only, versioned data storage on S3")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL command library development)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME s3store)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libs3store0)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libs3store-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libs3store0 (= ${PROJECT_VERSION}),
  libcurl4-openssl-dev, libssl-dev, libjansson-dev, libxxhash-dev, libzstd-dev,
  libsnappy-dev, libdeflate-dev, liblz4-dev, libbrotli-dev")
string(REGEX REPLACE "[ \n]+" " " CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "${CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS}")
set(CPACK_COMPONENT_COMMAND_DESCRIPTION "The command s3store: Parquet datasets with a change stream,
 in a bucket or a directory.")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "The shared library libs3store.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Header, static library, pkg-config and CMake files of
 libs3store.")
include(CPack)
